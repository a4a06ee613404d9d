/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a receiver has to think of a frame, by what the protocol says and not by
 * the module's code.
 */
#ifndef FUZZJUDGE_H
#define FUZZJUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZJUDGE_ACTIONS 256

enum fuzzjudge_verdict {
	FUZZJUDGE_GOOD,
	FUZZJUDGE_HDROPS,
	FUZZJUDGE_BADVER,
	FUZZJUDGE_BADLEN,
	FUZZJUDGE_BADACT,
	FUZZJUDGE_VERDICTS
};

/* Messages of a good frame */
struct fuzzjudge {
	uint64_t of[FUZZJUDGE_ACTIONS];	/* by action, spoken here */
	uint64_t skipped;
	bool numbered;			/* may be one that came before */
};

/* @hostid: of the receiver, whose own numbers it does not believe */
enum fuzzjudge_verdict fuzzjudge(const uint8_t *p, size_t len, uint32_t hostid,
				 struct fuzzjudge *j);

/* The counter of received messages of an action, NULL if it is not spoken */
const char *fuzzjudge_counter(unsigned int action);

#endif
