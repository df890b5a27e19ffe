"""An image with Spark on the stack's node, for teams that bring none of their own."""

from collections.abc import Mapping

from outrider_local.kubernetes import container_runtime, given, images, node, spark
from outrider_local.stack import Stack

NAME = "spark"


class SparkImage:
    """Spark's image: big, so it is made and loaded only where it is asked for."""

    name = NAME
    after: tuple[str, ...] = (node.NAME,)

    def install(self, stack: Stack) -> None:
        if given.kubeconfig(stack) is None:
            spark.build(stack.layout)

    def start(self, stack: Stack) -> None:
        if given.kubeconfig(stack) is None and not self.ready(stack):
            container_runtime.load(stack, images.spark_jobs(stack.layout).write)

    def ready(self, stack: Stack) -> bool:
        if given.kubeconfig(stack):
            return True
        return images.spark_jobs(stack.layout).name in container_runtime.images(stack)

    def stop(self, stack: Stack) -> None:
        """It goes with the node's files."""

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        return {} if given.kubeconfig(stack) else {"image": images.spark_jobs(stack.layout).name}
