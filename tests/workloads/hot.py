"""Spends its CPU time in known Python functions and prints "begin", then how much, in ns.

SECONDS are of CPU time.

hot.py shares SECONDS    three functions, about 70, 20 and 10 %
hot.py ways SECONDS      the ways that Python code comes to run other Python code, a thread for each
hot.py deep SECONDS N    at the bottom of N calls
hot.py rate SECONDS      prints how many rounds it made
"""
import re
import sys
import threading
import time


def burn(rounds):
    total = 0
    for i in range(rounds):
        total += i * i  # burn
    return total


def hot_a(rounds):
    total = 0
    for i in range(rounds):  # hot_a
        total += i * 3  # hot_a
    return total


def hot_b(rounds):
    total = 0
    for i in range(rounds):  # hot_b
        total += i * 5  # hot_b
    return total


def hot_c(rounds):
    total = 0
    for i in range(rounds):  # hot_c
        total += i * 7  # hot_c
    return total


def spend(seconds):
    spent = [0, 0, 0]
    end = time.process_time() + seconds
    while time.process_time() < end:
        for at, (function, rounds) in enumerate([(hot_a, 70000), (hot_b, 20000), (hot_c, 10000)]):
            begin = time.thread_time_ns()
            function(rounds)  # spend
            spent[at] += time.thread_time_ns() - begin
    return spent


class Way:
    """Each method ends in burn()."""

    def by_sorted(self):
        def key(n):
            return burn(n)
        return sorted([3000, 4000, 5000], key=key)

    def by_regex(self):
        def replace(match):
            return str(burn(4000))
        return re.sub("a", replace, "aaa")

    def by_generator(self):
        def numbers():
            for n in range(3):
                yield burn(4000 + n)
        return [n for n in numbers()]

    def by_coroutine(self):
        async def inner():
            return burn(4000)

        async def outer():
            return await inner()
        try:
            outer().send(None)
        except StopIteration as stop:
            return stop.value

    def by_class(self):
        class Burner:
            def __init__(self):
                burn(4000)
        return Burner()


def ways(seconds):
    end = time.process_time() + seconds

    def run(name):
        while time.process_time() < end:
            getattr(Way(), name)()
    threads = [threading.Thread(target=run, args=(name,)) for name in dir(Way) if name.startswith("by_")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def descend(depth, seconds):
    if depth > 0:
        return descend(depth - 1, seconds)  # descend
    end = time.process_time() + seconds
    while time.process_time() < end:
        burn(10000)


def rate(seconds):
    rounds = 0
    end = time.process_time() + seconds
    while time.process_time() < end:
        burn(1000)
        rounds += 1
    return [rounds]


def main():
    what, seconds = sys.argv[1], float(sys.argv[2])
    print("begin", flush=True)
    if what == "deep":
        sys.setrecursionlimit(100000)
        return descend(int(sys.argv[3]), seconds)
    print(*{"shares": spend, "ways": ways, "rate": rate}[what](seconds) or ())


main()
