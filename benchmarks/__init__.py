"""How fast training is, what watching costs, how soon a picture is there. Each module prints its tables alone:
`python -m benchmarks.train_speed`; `python -m benchmarks` runs all. What the defaults rest on is measured apart, for it
takes hours: `python -m benchmarks.evidence`."""
