/**
 * Every campaign, in the order in which they run.
 */
import type { Campaign } from "../Campaign.ts"

/** The campaigns. */
export const campaigns: ReadonlyArray<Campaign> = []
