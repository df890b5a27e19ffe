#!/bin/sh
# What Spark on Kubernetes asks of an image: `driver …` is spark-submit in client mode, `executor` one of its executors;
# anything else is run as it is.
set -e

# Hadoop wants the user to have a name, and a team's user stands in no image
if ! id -un >/dev/null 2>&1; then
  echo "spark:x:$(id -u):$(id -g)::${HOME:-/tmp}:/bin/sh" >/tmp/.passwd
  export NSS_WRAPPER_PASSWD=/tmp/.passwd NSS_WRAPPER_GROUP=/etc/group
  LD_PRELOAD=$(find /usr/lib -name libnss_wrapper.so | head -n 1)
  export LD_PRELOAD
fi

case "$1" in
  driver)
    shift
    exec "$SPARK_HOME/bin/spark-submit" --deploy-mode client "$@"
    ;;
  executor)
    shift
    # SPARK_JAVA_OPT_0, SPARK_JAVA_OPT_1 …: one option each, in this order, spaces and all
    number=0
    while value=$(printenv "SPARK_JAVA_OPT_$number"); do
      set -- "$@" "$value"
      number=$((number + 1))
    done
    exec java "$@" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
      -cp "${SPARK_CONF_DIR:+$SPARK_CONF_DIR:}${SPARK_CLASSPATH:+$SPARK_CLASSPATH:}$SPARK_HOME/jars/*" \
      org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
      --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
      --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
      --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
  *)
    exec "$@"
    ;;
esac
