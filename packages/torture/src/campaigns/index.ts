/**
 * Every campaign, in the order in which they run.
 */
import type { Campaign } from "../Campaign.ts"
import { closeStorm } from "./CloseStorm.ts"
import { kill9 } from "./Kill9.ts"

/** The campaigns. */
export const campaigns: ReadonlyArray<Campaign> = [closeStorm, kill9]
