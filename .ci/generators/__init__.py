"""What is made from declarations and committed: the dashboards and the page about the metrics. See ../generate.py."""
