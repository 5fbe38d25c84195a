"""The servers that the end-to-end tests run: real Kafka, real Redis, weir itself and its carrier simulator.

Everything listens on the loopback interface, lives in one temporary directory and ends with the test run, whichever way
the run ends (see procs.py).
"""
