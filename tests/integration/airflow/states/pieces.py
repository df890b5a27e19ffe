"""What DAGs are made of: one way each in which Airflow ends tasks. `NN` is the piece's number in its DAG.

A piece defines `first_NN` and `last_NN`, by which it is tied to other pieces.
"""

PRELUDE = """
import os, signal, time
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, Asset, BaseOperator, Metadata, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

GATE = Path(__file__).parent

class Overlong(BaseOperator):
    def execute(self, context):
        trigger = TimeDeltaTrigger(timedelta(days=1))
        self.defer(trigger=trigger, method_name="execute", timeout=timedelta(seconds=2))

def broken_callback(context):
    raise RuntimeError("a callback that fails")
"""

PIECES = {
    "plain": """
    @task
    def plain_NN():
        return 1
    first_NN = last_NN = plain_NN()
""",
    "empty": """
    first_NN = last_NN = EmptyOperator(task_id="empty_NN")
""",
    "branch": """
    @task.branch
    def branch_NN():
        return "taken_NN"
    @task(trigger_rule="none_failed_min_one_success")
    def joined_NN():
        pass
    first_NN = branch_NN()
    last_NN = joined_NN()
    first_NN >> [EmptyOperator(task_id="taken_NN"), BashOperator(task_id="left_NN", bash_command="true")] >> last_NN
""",
    "short_circuit": """
    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def short_NN():
        return False
    @task
    def cut_NN():
        pass
    @task(trigger_rule="all_done")
    def past_cut_NN():
        pass
    first_NN, last_NN = short_NN(), past_cut_NN()
    first_NN >> cut_NN() >> last_NN
""",
    "trigger_rules": """
    @task
    def fails_once_NN():
        raise ValueError("no luck")
    first_NN = fails_once_NN()
    last_NN = EmptyOperator(task_id="all_done_NN", trigger_rule="all_done")
    for rule in ("all_success", "all_failed", "one_failed", "one_success", "none_failed", "none_skipped",
                 "all_skipped"):
        @task(task_id=f"{rule}_NN", trigger_rule=rule)
        def ruled():
            pass
        first_NN >> ruled() >> last_NN
""",
    "mapped": """
    @task
    def many_NN():
        return [0, 1, 2]
    @task
    def none_NN():
        return []
    @task
    def each_NN(x):
        if x == 1:
            raise ValueError("one of three")
        if x == 2:
            raise AirflowSkipException()
    @task
    def over_none_NN(x):
        pass
    @task(trigger_rule="all_done")
    def gathered_NN():
        pass
    first_NN, nothing_NN, last_NN = many_NN(), none_NN(), gathered_NN()
    first_NN >> nothing_NN
    [each_NN.expand(x=first_NN), over_none_NN.expand(x=nothing_NN)] >> last_NN
""",
    "mapped_over_no_list": """
    @task
    def number_NN():
        return 7
    @task
    def over_number_NN(x):
        pass
    first_NN = number_NN()
    last_NN = EmptyOperator(task_id="after_number_NN", trigger_rule="all_done")
    over_number_NN.expand(x=first_NN) >> last_NN
""",
    "mapped_group": """
    @task
    def items_NN():
        return [0, 1]
    @task_group
    def group_NN(x):
        @task
        def one(x):
            if x == 1:
                raise ValueError("half of the group")
            return x
        @task
        def two(x):
            pass
        two(one(x))
    first_NN = items_NN()
    last_NN = EmptyOperator(task_id="after_group_NN", trigger_rule="all_done")
    group_NN.expand(x=first_NN) >> last_NN
""",
    "shrinking": """
    @task
    def shrinking_NN(ti=None):
        return [0, 1, 2] if ti.try_number == 1 else [0]
    @task
    def shrunk_NN(x):
        pass
    first_NN = shrinking_NN()
    last_NN = EmptyOperator(task_id="after_shrunk_NN", trigger_rule="all_done")
    shrunk_NN.expand(x=first_NN) >> last_NN
""",
    "sensor": """
    @task.sensor(poke_interval=1, mode="reschedule", timeout=60)
    def looks_NN():
        return time.time() % 4 < 2
    @task.sensor(poke_interval=1, mode="reschedule", timeout=2, soft_fail=True)
    def gives_up_NN():
        return False
    first_NN = looks_NN()
    last_NN = EmptyOperator(task_id="after_sensors_NN", trigger_rule="all_done")
    first_NN >> gives_up_NN() >> last_NN
""",
    "retries": """
    @task(retries=1, retry_delay=0.1)
    def flaky_NN(ti=None):
        if ti.try_number == 1:
            raise ValueError("once")
    @task(retries=1, retry_delay=0.1)
    def hopeless_NN():
        raise ValueError("always")
    @task(retries=3, retry_delay=0.1)
    def gives_in_NN():
        raise AirflowFailException("no use in trying again")
    first_NN = flaky_NN()
    last_NN = EmptyOperator(task_id="after_retries_NN", trigger_rule="all_done")
    first_NN >> [hopeless_NN(), gives_in_NN()] >> last_NN
""",
    "callbacks": """
    @task(on_success_callback=broken_callback, on_execute_callback=broken_callback)
    def calls_back_NN():
        pass
    @task(on_failure_callback=broken_callback)
    def calls_back_failed_NN():
        raise ValueError("with a callback")
    @task(on_skipped_callback=broken_callback)
    def skips_itself_NN():
        raise AirflowSkipException("not today")
    first_NN = calls_back_NN()
    last_NN = EmptyOperator(task_id="after_callbacks_NN", trigger_rule="all_done")
    first_NN >> [calls_back_failed_NN(), skips_itself_NN()] >> last_NN
""",
    "setup_teardown": """
    @task
    def make_NN():
        pass
    @task
    def use_NN():
        raise ValueError("used up")
    @task
    def clear_away_NN():
        pass
    first_NN, used_NN = make_NN().as_setup(), use_NN()
    last_NN = clear_away_NN().as_teardown(setups=first_NN, on_failure_fail_dagrun=True)
    first_NN >> used_NN >> last_NN
""",
    "broken_setup": """
    @task
    def wont_make_NN():
        raise ValueError("no set-up")
    @task
    def wont_use_NN():
        pass
    @task
    def wont_clear_NN():
        pass
    made_NN = wont_make_NN().as_setup()
    torn_NN = wont_clear_NN().as_teardown(setups=made_NN)
    first_NN = EmptyOperator(task_id="before_setup_NN")
    last_NN = EmptyOperator(task_id="after_setup_NN", trigger_rule="all_done")
    first_NN >> made_NN >> wont_use_NN() >> torn_NN >> last_NN
""",
    "killed": """
    @task
    def killed_NN():
        os.kill(os.getpid(), signal.SIGKILL)
    @task(retries=1, retry_delay=0.1)
    def killed_once_NN(ti=None):
        if ti.try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    @task
    def leaves_NN():
        os._exit(3)
    first_NN = EmptyOperator(task_id="before_kills_NN")
    last_NN = EmptyOperator(task_id="after_kills_NN", trigger_rule="all_done")
    first_NN >> [killed_NN(), killed_once_NN(), leaves_NN()] >> last_NN
    dag.get_task("killed_NN") >> EmptyOperator(task_id="behind_killed_NN")
""",
    "timeouts": """
    @task(execution_timeout=timedelta(seconds=1))
    def too_long_NN():
        time.sleep(30)
    @task
    def unrendered_NN(x):
        pass
    first_NN = too_long_NN()
    last_NN = EmptyOperator(task_id="after_timeouts_NN", trigger_rule="all_done")
    first_NN >> [unrendered_NN("{{ nothing.of.that.name }}"), EmptyOperator(task_id="not_reached_NN")] >> last_NN
""",
    "asset": """
    @task(outlets=[Asset("DAGID_asset_NN", uri="s3://DAGID/asset_NN")])
    def updates_NN():
        yield Metadata(Asset("DAGID_asset_NN", uri="s3://DAGID/asset_NN"), {"rows": 1})
    first_NN = last_NN = updates_NN()
""",
    "deferred": """
    first_NN = DateTimeSensorAsync(
        task_id="deferred_NN", target_time="{{ (dag_run.start_date + macros.timedelta(seconds=4)).isoformat() }}")
    forever_NN = Overlong(task_id="deferred_too_long_NN")
    last_NN = EmptyOperator(task_id="after_deferred_NN", trigger_rule="all_done")
    first_NN >> last_NN
    forever_NN >> last_NN
""",
}

GATED = """
    @task
    def gated():
        (GATE / "DAGID.began").touch()
        deadline = time.monotonic() + 240
        while not (GATE / "DAGID.go").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    first_gate = gated()
    last_gate = EmptyOperator(task_id="after_gate")
    first_gate >> last_gate
"""
"""A task that runs until it is let go: what is done to the run meanwhile is done to a running one."""

CONSUMER = """
with DAG("DAGID_consumer_NN", is_paused_upon_creation=False,
         schedule=[Asset("DAGID_asset_NN", uri="s3://DAGID/asset_NN")]):
    @task
    def consume():
        pass
    consume()
"""
"""A DAG that the asset starts."""
