/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unwind tables as user space lays them out (src/unwind/) and the walk reads them.
 *
 * All of them live in chunks of EB_CHUNK_WORDS words of 4 bytes, made as they are needed. A place
 * in them is one number: chunk * EB_CHUNK_WORDS + word. Nothing crosses the end of a chunk. A
 * process is a list of executable mappings, ascending (struct eb_mapping). A mapping of a file with
 * a table names the file's list of pages (struct eb_page), one for each EB_PAGE_BYTES of code. A
 * page names its rows, ascending, the first at offset 0: one word each, the offset in the page
 * below, what holds from there on above.
 */
#ifndef EB_UNWIND_TABLES_H
#define EB_UNWIND_TABLES_H

#define EB_CHUNK_WORDS 65536
#define EB_CHUNKS_MAX  1024
#define EB_PAGE_SHIFT  11
#define EB_PROCS_MAX   4096
#define EB_RULES_MAX   16384

/* What an executable mapping holds. */
enum eb_mapping_kind {
	EB_MAP_TABLE = 0, /* a file with a table */
	EB_MAP_BARE = 1, /* a file that has none */
	EB_MAP_JIT = 2, /* code written at run time */
	EB_MAP_PENDING = 3, /* a file whose table is not there yet */
};

struct eb_mapping {
	__u64 start;
	__u64 end;
	__u64 bias; /* address of the first page */
	__u32 pages_at;
	__u32 kind; /* enum eb_mapping_kind */
};

struct eb_page {
	__u32 rows_at;
	__u32 rows;
};

struct eb_proc {
	__u64 start_ns; /* of the group leader, CLOCK_BOOTTIME */
	__u64 mm; /* set by the first walk: after exec it is another */
	__u32 mappings_at;
	__u32 mappings;
	__u32 version; /* another each time this is written, never 0 */
	__u32 pad;
};

/* What the upper half of a row says: EB_ROW_RULE and the number of an eb_rule, or the most common
 * ones at once: EB_ROW_FP (the frame is found by the frame pointer, else by the stack pointer),
 * three bits for where registers were saved, and the distance to the frame in words of 8 bytes. */
#define EB_ROW_RULE	   0x8000
#define EB_ROW_FP	   0x4000
#define EB_ROW_SAVED_SHIFT 11
#define EB_ROW_WORDS_MASK  0x7ff

/* How the canonical frame address is found: the stack pointer in the caller. */
enum eb_base {
	EB_BASE_NONE = 0, /* no row: padding, or code without a table */
	EB_BASE_END = 1, /* there is no caller */
	EB_BASE_SP = 2, /* sp + cfa */
	EB_BASE_FP = 3, /* fp + cfa */
	EB_BASE_SP_DEREF = 4, /* *(sp + cfa) + add */
	EB_BASE_FP_DEREF = 5, /* *(fp + cfa) + add */
	EB_BASE_PLT = 6, /* sp + 8, and 8 more from byte `cfa` of each 16 on */
	EB_BASE_SIGNAL = 7, /* all registers lie on the stack: sp at sp + cfa, fp and ra likewise */
	EB_BASE_ODD = 8, /* cannot be told in these words */
};

#define EB_SAVED_FP 1
#define EB_SAVED_RA 2
/* Like EB_SAVED_FP, but from where the frame pointer points. */
#define EB_SAVED_AT_FP 4

struct eb_rule {
	__u8 base; /* enum eb_base */
	__u8 saved; /* EB_SAVED_*, else the register still holds it */
	__s16 add;
	__s32 cfa;
	__s32 fp; /* from the frame address (EB_BASE_SIGNAL: from sp), as is ra */
	__s32 ra;
};

_Static_assert(sizeof(struct eb_mapping) == 32 && sizeof(struct eb_page) == 8 &&
		       sizeof(struct eb_proc) == 32 && sizeof(struct eb_rule) == 16,
	       "src/unwind/layout.rs writes these");

#endif
