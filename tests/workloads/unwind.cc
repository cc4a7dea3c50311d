// SPDX-License-Identifier: GPL-2.0
/*
 * C++ as services are built: burns argv[1] seconds of CPU below virtual calls, a template, a lambda in a std::function and a destructor
 * that runs while an exception passes. 70 % in hot_a, 30 % in hot_b; prints what each took by its own clock, ns.
 */
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <stdexcept>

static volatile unsigned long sink;
static unsigned long a_ns, b_ns;

static unsigned long cpu_ns()
{
	timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

#define HOT(name, step)                                                                                                \
	extern "C" __attribute__((noinline, noclone)) void name(void)                                                  \
	{                                                                                                              \
		unsigned long x = sink;                                                                                \
		for (int i = 0; i < 200000; i++) {                                                                     \
			x = x * 6364136223846793005ul + step;                                                          \
			__asm__ volatile("" : "+r"(x));                                                                \
		}                                                                                                      \
		sink = x;                                                                                              \
	}
HOT(hot_a, 1)
HOT(hot_b, 3)

extern "C" __attribute__((noinline, noclone)) unsigned long spend(void (*work)(), unsigned long ns)
{
	unsigned long start = cpu_ns(), now;
	do {
		work();
		now = cpu_ns();
	} while (now - start < ns);
	return now - start;
}

extern "C" __attribute__((noinline, noclone)) int end_of_stack(int depth)
{
	a_ns += spend(hot_a, 7000000);
	b_ns += spend(hot_b, 3000000);
	return depth + (int)(sink & 1);
}

struct Node {
	virtual ~Node() = default;
	virtual int visit(int depth) = 0;
};

template <int N> struct Branch : Node {
	std::unique_ptr<Node> next;
	int visit(int depth) override
	{
		int made = next ? next->visit(depth + N) : end_of_stack(depth);
		__asm__ volatile("" : "+r"(made));
		return made * 3 + N;
	}
};

/* Its work is done while the stack is unwound. */
struct Last {
	std::function<int(int)> &work;
	~Last() { sink += work(1); }
};

__attribute__((noinline)) static void throw_through(std::function<int(int)> &work)
{
	Last last{work};
	throw std::runtime_error("as planned");
}

int main(int argc, char **argv)
{
	unsigned long total = (argc > 1 ? atof(argv[1]) : 1) * 1e9;
	auto inner = std::make_unique<Branch<1>>();
	auto middle = std::make_unique<Branch<2>>();
	Branch<3> outer;
	middle->next = std::move(inner);
	outer.next = std::move(middle);
	std::function<int(int)> work = [&outer](int depth) { return outer.visit(depth) + 1; };

	while (cpu_ns() < total) {
		sink += work(0);
		try {
			throw_through(work);
		} catch (const std::runtime_error &) {
			sink += 1;
		}
	}
	printf("%lu %lu\n", a_ns, b_ns);
}
