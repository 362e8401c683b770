"""What starts a run, and keeps it to its own results: the guard of the folder, the records, the report. No rules here."""

from snakemake import persistence

from twophase.files import folders
from twophase.runtime import guard, locks, records


def config_name():
    """The file or files of the config, as seen from here."""
    paths = workflow.config_settings.configfiles or [WORKFLOW.parent / "config" / "demo.yaml"]
    return " and ".join(os.path.relpath(path) for path in paths)


def in_report(path, **settings):
    """An output that the report shows; where nothing but a report is made, if it is there."""
    alone = any(word.partition("=")[0] == "--report" for word in sys.argv) and "--report-after-run" not in sys.argv
    settings["category"] = of_this_config(path, settings["category"])
    return path if alone and not os.path.exists(path) else report(path, **settings)


def of_this_config(path, category):
    """A category, which Snakemake asks for when it puts a file into the report: if that is not this config's, it stops."""

    def checked(wildcards):
        waiting, seen = [job for job in workflow.dag.jobs if path in job.output], set()
        while waiting:
            job = waiting.pop()
            for output in job.output:
                if problem := records.objection(RESULTS, output, dict(job.params.items())):
                    raise WorkflowError(
                        f"The report would show {path}, which is not of {config_name()}: {problem}. Run the workflow "
                        "with this config first."
                    )
            seen.add(job)
            waiting += [other for other in workflow.dag.dependencies[job] if other not in seen]
        return category

    return checked


def check_results():
    """Refuses results of another config, whatever is to be done with them, and on a cluster an edited config."""
    try:
        if workflow.is_main_process:
            guard.check(RESULTS, config_name(), SETTINGS)
        else:
            guard.check_config(RESULTS, config)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def start_run():
    """Keeps other runs out of the results, and this one out of another config's.

    Jobs of a run that was killed keep others out, too, until they have ended.
    """
    codes = {rule.name: dict(rule.params.items()).get("code") for rule in workflow.rules}
    codes = {rule: code[0] if isinstance(code, list) else code for rule, code in codes.items() if code}
    try:
        locks.start_run(RESULTS)
        guard.enter(RESULTS, config_name(), SETTINGS, {"config": config, "code": codes})
    except UserError as error:
        raise WorkflowError(str(error)) from None


def take_over():
    """Keeps what jobs finished that outlived a killed run: Snakemake, which could not note it, would begin by deleting it."""
    for job in workflow.dag.needrun_jobs():
        for path in workflow.async_run(workflow.persistence.incomplete(job)):
            folders.reopen(path)


def check_devices():
    """Stops a run on a cluster, before its first job, whose config leaves the device to the machine that looks."""
    unsure = [name for name, e in EXPERIMENTS.items() if e["training"]["device"] == "auto"]
    if workflow.non_local_exec and unsure:
        raise WorkflowError(
            f"training.device of {', '.join(unsure)} is auto, which tells a cluster nothing: whether this machine has a "
            "GPU is not whether the node of a job will. Write cuda, for which jobs ask for a GPU, or cpu in the config, "
            "or add: --config 'defaults={training: {device: cuda}}'"
        )


def unthrottle():
    """Drops Snakemake's default limit of 100 job starts in a second; a limit that the user sets stays.

    Where there is a limit, every job that ends makes Snakemake look for jobs to start once a second more, until none
    waits: after 200 jobs that takes a third of a core, beside the jobs themselves.
    """
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


check_results()
records.remember(
    getattr(persistence, "PersistenceBase", None) or persistence.Persistence, persistence.ParamsChange, RESULTS
)
