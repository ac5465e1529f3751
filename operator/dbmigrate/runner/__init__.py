"""The use cases on sources and postgres; each makes a Report.

One module a use case, and one function in it, which takes a Request and returns
a Result (it does not raise MigrationError):

    up.up(request, limit=None)            all, or at most `limit` steps
    down.down(request, limit=None)        None: all of them
    goto.goto(request, version=None)      None: the latest in the source
    force.force(request, version)         None: no version at all
    version.version(request)              value: VersionState
    drop.drop(request)
    status.status(request)                value: StatusTable
    preview.preview(request, version=None)    value: Preview; this is `plan`
    verify.verify(request)                value: tuple[Finding, ...]
    baseline.baseline(request, version)
    repair.repair(request)                value: Repair
    wait.wait(request, version=None, timeout=None)    None: latest; seconds, None: no limit
"""
