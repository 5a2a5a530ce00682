"""The studies in a folder of runs: making, listing, finding them, and giving them more to do.

A study is a folder `studies/ID` beside its runs, which are runs like any others. An id that comes from outside is
matched against a strict pattern before it becomes part of a path.
"""
