# Where `snakemake` looks for a workflow. The table of contents is workflow/Snakefile, from where the catalog of Snakemake
# workflows, tools that deploy from it, and importing workflows take it.
include: "workflow/Snakefile"


# An include brings no default target along.
if OWN_TARGET and workflow.is_rule(workflow.modifier.modify_rulename("all")):
    workflow.default_target = workflow.modifier.modify_rulename("all")
