"""Kubernetes' control plane: etcd on unix sockets, API server on 127.0.0.1, controllers, scheduler."""

from collections.abc import Mapping

from outrider_local.kubernetes import given, programs, rights, sockets
from outrider_local.kubernetes.api import Api
from outrider_local.kubernetes.identities import SERVICE_ADDRESSES, Identities
from outrider_local.processes import Command
from outrider_local.stack import Stack

NAME = "kubernetes"
ETCD, APISERVER = "kubernetes-etcd", "kubernetes-apiserver"
CONTROLLERS, SCHEDULER = "kubernetes-controller-manager", "kubernetes-scheduler"
_PROCESSES = (ETCD, APISERVER, CONTROLLERS, SCHEDULER)
_START_SECONDS = 180  # a few on a machine of its own
# what a cluster without cloud, kube-proxy and autoscaling needs
_CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
    "garbage-collector-controller",
    "pod-garbage-collector-controller",
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-protection-controller",
    "job-controller",
    "cronjob-controller",
    "ttl-after-finished-controller",
    "replicaset-controller",
    "deployment-controller",
    "node-lifecycle-controller",
    "taint-eviction-controller",
)


def server(stack: Stack) -> str:
    """URL of the API server of the stack's own control plane."""
    return f"https://127.0.0.1:{stack.ports.of(NAME)}"


def identities(stack: Stack) -> Identities:
    """Who is who in the stack's own cluster."""
    return Identities(stack, server(stack))


def api(stack: Stack) -> Api:
    """The API server of the stack's own cluster, asked as its administrator."""
    return Api(identities(stack))


class ControlPlane:
    """A control plane of the stack's own, or nothing to start where a kubeconfig is given."""

    name = NAME
    after: tuple[str, ...] = ()

    def install(self, stack: Stack) -> None:
        if given.kubeconfig(stack) is None:
            programs.build(stack.layout)

    def start(self, stack: Stack) -> None:
        if kubeconfig := given.kubeconfig(stack):
            given.require_answer(kubeconfig)
            rights.give(stack, kubeconfig)
            return
        if not stack.processes.alive(APISERVER):
            stack.ports.require_free(NAME)
        commands = _commands(stack)
        for name in (ETCD, APISERVER):
            stack.processes.start(name, commands[name])
        # the controllers give up where the API server has not made their rights within 20 s
        stack.await_ready(APISERVER, api(stack).is_ready, seconds=_START_SECONDS)
        for name in (CONTROLLERS, SCHEDULER):
            stack.processes.start(name, commands[name])
        stack.await_all_ready(_PROCESSES, lambda: self.ready(stack), seconds=_START_SECONDS)
        rights.give(stack, identities(stack).admin_kubeconfig)

    def ready(self, stack: Stack) -> bool:
        if kubeconfig := given.kubeconfig(stack):
            return given.answers(kubeconfig)
        return all(map(stack.processes.alive, _PROCESSES)) and api(stack).has_default_account()

    def stop(self, stack: Stack) -> None:
        for process in (SCHEDULER, CONTROLLERS, APISERVER, ETCD):
            stack.processes.stop(process)
        sockets.remove(stack, "etcd")
        given.forget(stack)
        rights.forget(stack)

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        if kubeconfig := given.kubeconfig(stack):
            return {"url": given.server(kubeconfig), "kubeconfig": str(kubeconfig)}
        return {"url": server(stack), "kubeconfig": str(identities(stack).admin_kubeconfig)}


def _commands(stack: Stack) -> dict[str, Command]:
    who = identities(stack)
    controllers = who.kubeconfig("system:kube-controller-manager")
    scheduler = who.kubeconfig("system:kube-scheduler")
    alone = {"bind-address": "127.0.0.1", "secure-port": "0", "leader-elect": "false", "profiling": "false"}
    directory = sockets.make(stack) / "etcd"
    directory.mkdir(mode=0o700, exist_ok=True)
    data = stack.layout.data(NAME)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)

    def command(part: str, options: Mapping[str, str]) -> Command:
        arguments = tuple(f"--{name}={value}" for name, value in options.items())
        return Command(argv=(str(programs.program(stack.layout, "control-plane")), part, *arguments), cwd=data)

    return {
        ETCD: command("etcd", {"data-dir": str(data / "etcd"), "socket-dir": str(directory)}),
        APISERVER: command("kube-apiserver", _apiserver_options(stack, f"unix://{directory}/client.sock")),
        CONTROLLERS: command(
            "kube-controller-manager",
            {
                **alone,
                "kubeconfig": str(controllers),
                "use-service-account-credentials": "true",
                "service-account-private-key-file": str(who.service_account_key()),
                "root-ca-file": str(who.ca_file),
                "controllers": ",".join(_CONTROLLERS),
            },
        ),
        SCHEDULER: command(
            "kube-scheduler",
            {
                **alone,
                "kubeconfig": str(scheduler),
                "authentication-kubeconfig": str(scheduler),
                "authorization-kubeconfig": str(scheduler),
            },
        ),
    }


def _apiserver_options(stack: Stack, etcd: str) -> dict[str, str]:
    who = identities(stack)
    certificate, key = who.serving("apiserver")
    kubelet_certificate, kubelet_key = who.client("kube-apiserver-kubelet-client", ("system:masters",))
    accounts = str(who.service_account_key())
    return {
        "etcd-servers": etcd,
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": str(stack.ports.of(NAME)),
        # a loopback address is no legal endpoint, and nothing here serves cluster addresses anyway
        "endpoint-reconciler-type": "none",
        "service-cluster-ip-range": SERVICE_ADDRESSES,
        "authorization-mode": "Node,RBAC",
        # so that a privileged pod is refused by its namespace's policy, as elsewhere, not by this flag
        "allow-privileged": "true",
        "client-ca-file": str(who.ca_file),
        "tls-cert-file": str(certificate),
        "tls-private-key-file": str(key),
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": accounts,
        "service-account-signing-key-file": accounts,
        # the node is called localhost and its kubelet listens on 127.0.0.1 only
        "kubelet-preferred-address-types": "Hostname,InternalIP",
        "kubelet-certificate-authority": str(who.ca_file),
        "kubelet-client-certificate": str(kubelet_certificate),
        "kubelet-client-key": str(kubelet_key),
        "profiling": "false",
    }
