"""The HTTP door: the requests that trainers already send, answered by the pool.

    connection -> visitors -> app (token, body, deadline) -> a consumer -> desk -> executor

Each file of `consumers` speaks one project's words. Needs the extra `azr[http]`; `options` and
`tokens` do not, so that a command line is checked without it.
"""
