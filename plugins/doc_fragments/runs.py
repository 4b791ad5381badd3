# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules whose run takes volumes."""

from __future__ import annotations


class ModuleDocFragment:
    """Options for how much a run does at once, for how long, and who is told; the argument spec is ``RUN_SPEC`` (populate/options.py)."""

    DOCUMENTATION = r"""
options:
  node_concurrency:
    description: Volumes of one node, of workers and of sandboxes each, that are worked on at once. From 1 to 256.
    type: int
    default: 4
  concurrency:
    description: Volumes held at once. A pair holds two while its sandbox is filled, so V(1) counts as V(2). From 1 to 256.
    type: int
    default: 8
  timeout:
    description:
      - Seconds for one volume. A worker's has twice as much, as its sandbox's turns are inside; making a project ready, before
        any volume is taken, has as much again, and the seed pod ends after four times as much.
      - From 30 to 604800.
    type: int
    default: 1800
  max_hold:
    description:
      - Seconds for which a sandbox's volume may be held at a time. Then it is released, and the rest is a later turn. The
        service gives up on a sandbox's pod after 600 seconds.
      - From 30 to 570.
    type: int
    default: 300
  notify:
    description:
      - A URL to which the run is told when it has ended, failed or not, by a POST of JSON with C(summary) (as RV(summary_line)), C(namespace)
        (the workers') and C(run) (as RV(run)).
      - http or https. Redirects are not followed, and what goes wrong is a warning. A user and a password may be in it; nobody is shown any of it.
      - Nothing is sent in check mode.
    type: str
    default: ""
  pushgateway:
    description:
      - The URL of a Prometheus Pushgateway, such as C(http://pushgateway), to which the metrics of the run are sent when it has ended; they take the
        place of those of the last run for the same workers' namespace.
      - http or https. Redirects are not followed, and what goes wrong is a warning. Nothing is sent in check mode.
    type: str
    default: ""
  metrics_file:
    description:
      - A file for the metrics of the run, in the directory of the node exporter's textfile collector on the controller. Its name ends with C(.prom). It
        is written at once as a whole.
    type: path
  progress_file:
    description:
      - A file on the controller to which a JSON object is appended, in a line, for each thing that happens, with C(subject),
        C(phase), C(project) and C(detail). The module's action plugin sets it and shows what is worth a line on
        standard error while the task runs.
    type: path
"""
