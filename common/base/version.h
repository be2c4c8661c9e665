/* common/base/version.h - the suite's version, as -V prints it. */
#ifndef GATEHOUSE_BASE_VERSION_H
#define GATEHOUSE_BASE_VERSION_H

#define GATEHOUSE_VERSION "0.1.0"

#endif
