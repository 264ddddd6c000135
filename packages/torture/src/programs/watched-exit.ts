/**
 * The program `exit`, whose syncs are watched.
 */

// The watch first: modules take their functions from node:fs as they are loaded.
await import("../DiskWatch.ts")
await import("./exit.ts")
