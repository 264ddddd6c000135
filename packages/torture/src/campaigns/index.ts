/**
 * Every campaign, in the order in which they run.
 */
import type { Campaign } from "../harness/Campaign.ts"
import { bookkeeper } from "./bookkeeper/BookKeeper.ts"
import { closeStorm } from "./closeStorm/CloseStorm.ts"
import { copies } from "./copies/Copies.ts"
import { corruption } from "./corruption/Corruption.ts"
import { descriptors } from "./descriptors/Descriptors.ts"
import { diskFull } from "./diskFull/DiskFull.ts"
import { everyExit } from "./everyExit/EveryExit.ts"
import { ioErrors } from "./ioErrors/IoErrors.ts"
import { kill9 } from "./kill9/Kill9.ts"
import { lastEntry } from "./lastEntry/LastEntry.ts"
import { lyingInput } from "./lyingInput/LyingInput.ts"
import { memory } from "./memory/Memory.ts"
import { networkFace } from "./networkFace/NetworkFace.ts"
import { powerLoss } from "./powerLoss/PowerLoss.ts"
import { rebuild } from "./rebuild/Rebuild.ts"
import { slowReaders } from "./slowReaders/SlowReaders.ts"
import { twoOwners } from "./twoOwners/TwoOwners.ts"

/** The campaigns. */
export const campaigns: ReadonlyArray<Campaign> = [
  closeStorm,
  everyExit,
  kill9,
  powerLoss,
  diskFull,
  ioErrors,
  descriptors,
  slowReaders,
  corruption,
  twoOwners,
  copies,
  rebuild,
  bookkeeper,
  lyingInput,
  memory,
  lastEntry,
  networkFace
]
