"""The executor of renders: every step in the run's own process, so the model is loaded once."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor.in_process import InProcessExecutor

from latent_assets.orchestration.stopping import cancelled_if_asked


class OneProcessExecutor(InProcessExecutor):
    """Dagster's own in-process executor, in which whoever stops the process stops the run.

    Dagster begins a run some 50 ms before it has our resources, which see to that for the
    executors of others. An interrupt in that time would be a failure to it, and be tried again.
    """

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """All steps of the plan, in its order; what Dagster is to be told of them."""
        with cancelled_if_asked(plan_context.instance, plan_context.run_id):
            yield from super().execute(plan_context, execution_plan)


@dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
def one_process(context: dg.InitExecutorContext) -> OneProcessExecutor:
    """Takes the configuration of `dg.in_process_executor`, and has its name."""
    create = dg.in_process_executor.executor_creation_fn
    assert create is not None
    dagsters = create(context)
    assert isinstance(dagsters, InProcessExecutor)
    return OneProcessExecutor(dagsters.retries, dagsters.step_dependency_config)
