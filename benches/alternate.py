"""Times commands side by side: each once a round, in an order that is another each round, so that whatever else the machine does falls on all of
them alike. Prints the median of each, in microseconds, in the order given.

    alternate.py ROUNDS COMMAND…     a COMMAND is words as a shell reads them; `cd FOLDER && …` is understood
"""

import os
import random
import shlex
import statistics
import subprocess
import sys
import time


def parsed(command):
    """The folder, and the words."""
    words = shlex.split(command)
    if words[0] == "cd" and words[2] == "&&":
        return words[1], words[3:]
    return os.getcwd(), words


def main():
    rounds = int(sys.argv[1])
    commands = [parsed(command) for command in sys.argv[2:]]
    times = [[] for _ in commands]
    for round_ in range(rounds + 3):
        for index in random.sample(range(len(commands)), len(commands)):
            folder, words = commands[index]
            start = time.perf_counter_ns()
            subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
            # The first of each fill the caches.
            if round_ >= 3:
                times[index].append((time.perf_counter_ns() - start) // 1000)
    for taken in times:
        print(int(statistics.median(taken)))


main()
