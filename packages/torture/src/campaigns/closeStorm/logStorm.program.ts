/**
 * Opens, works with and closes directories of entry logs, again and again, while
 * its syncs are watched, and reports. Arguments: the directory, the seed, how
 * many cycles, for how many seconds to go on.
 */

// The watch first: modules take their functions from node:fs as they are loaded.
await import("../../harness/DiskWatch.ts")
await import("./stormOfLogs.ts")
