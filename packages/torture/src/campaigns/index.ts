/**
 * Every campaign, in the order in which they run.
 */
import type { Campaign } from "../Campaign.ts"
import { ioErrors } from "./IoErrors.ts"
import { memory } from "./Memory.ts"
import { networkFace } from "./NetworkFace.ts"
import { lastEntry } from "./LastEntry.ts"
import { twoOwners } from "./TwoOwners.ts"
import { everyExit } from "./EveryExit.ts"
import { diskFull } from "./DiskFull.ts"
import { closeStorm } from "./CloseStorm.ts"
import { corruption } from "./Corruption.ts"
import { kill9 } from "./Kill9.ts"
import { powerLoss } from "./PowerLoss.ts"
import { bookkeeper } from "./BookKeeper.ts"
import { lyingInput } from "./LyingInput.ts"
import { rebuild } from "./Rebuild.ts"

/** The campaigns. */
export const campaigns: ReadonlyArray<Campaign> = [
  closeStorm,
  everyExit,
  kill9,
  powerLoss,
  diskFull,
  ioErrors,
  corruption,
  twoOwners,
  rebuild,
  bookkeeper,
  lyingInput,
  memory,
  lastEntry,
  networkFace
]
