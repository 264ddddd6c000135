package org.apache.bookkeeper.bookie;

import java.io.IOException;

/**
 * Lets the judge see whether a log has a ledgers map that BookKeeper accepts. The public
 * {@code getEntryLogMetadata} scans the log where it has none, and does not say so.
 */
public final class LedgersMap {
    private LedgersMap() {
    }

    /** Reads the ledgers map of a log, or throws what BookKeeper holds against it. */
    public static EntryLogMetadata read(DefaultEntryLogger logger, long logId) throws IOException {
        return logger.extractEntryLogMetadataFromIndex(logId);
    }
}
