"""`python -m cogbench` is `cogbench`; and what worker processes run in place of the script of their parent."""

if __name__ == "__mp_main__":  # a worker: Ctrl-C reaches all processes of a terminal, and the parent ends the workers
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
else:
    from .cli.main import cli

    cli(prog_name="cogbench")
