"""`azr report`: one HTML file that shows a run, or compares several; it needs no network.

What models wrote is data here too: it enters the page as escaped JSON, is set as text, and a
content security policy with hashes allows no script but ours.
"""

from azr.report.html.filling import fill_page, script_json
from azr.report.html.page import render_report, write_report

__all__ = ["fill_page", "render_report", "script_json", "write_report"]
