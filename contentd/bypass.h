/* contentd/bypass.h - rules by which mail gets past a scanner that looks for malware: worth a warning when the file is read. */
#ifndef GATEHOUSE_CONTENTD_BYPASS_H
#define GATEHOUSE_CONTENTD_BYPASS_H

#include "contentd/setup.h"

/* Warns, at its place, of each rule of the file in force that
 * - skips such a scanner, which a chain names: it is not asked, or what it finds does not count;
 * - quarantines at data, before scanners are asked: what is kept so has not been scanned, and a release does not scan it.
 * An accept and a redirect are none: scanners are asked, and malware counts, all the same. */
void bypass_warn(const struct setup *setup, struct conf_errors *errors);

#endif
