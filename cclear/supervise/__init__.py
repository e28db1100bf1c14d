"""`make run`: everything on this machine, in the foreground, kept running by supervisor.

layout says where each part listens, configuration writes their files, processes lists what is kept running, watch
tells what happens to them.
"""
