"""Steps as tasks of Celery: a process that oversees a run, and workers that carry its steps out.

Dagster's records alone say what became of a step; the broker carries only what is to be done. So a
broker that loses everything costs seconds, and a result can't be lost with it
(docs/decisions/0066-steps-as-celery-tasks.md).
"""
