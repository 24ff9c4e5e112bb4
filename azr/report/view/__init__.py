"""`azr view`: a page that follows runs while they write. It reads, and never locks or writes.

    shelf      which runs a folder holds, and whether they still run
    follow     one run's metrics and curriculum, read on from where reading ended
    latest     its tasks with their answers, newest first, a page at a time
    app        what is asked over HTTP, and who may ask
    server     the socket

Figures, charts and cards are the report's (azr.report.html): one code shows both.
"""
