// SPDX-License-Identifier: GPL-2.0
/* Burns in turn() until it is killed. To be built without frame pointers, and linked with a lot of code that has unwind tables. */
static volatile unsigned long sink;

__attribute__((noinline, noclone)) static unsigned long turn(unsigned long x)
{
	for (int i = 0; i < 1000000; i++)
		x = x * 6364136223846793005ul + 1;
	return x;
}

__attribute__((noinline, noclone)) static unsigned long around(void)
{
	return turn(sink) + 1;
}

int main(void)
{
	for (;;)
		sink = around();
}
