package effectbookie;

import io.netty.buffer.ByteBuf;
import java.util.zip.CRC32C;

/** An entry and its place, as a line of entries.tsv. */
record Row(long ledgerId, long entryId, long location, int size, long crc32c) {
    static final String HEADER = "ledger\tentry\tlocation\tsize\tcrc32c";

    /** The row of an entry whose bytes, ids included, are all that is readable in the buffer. */
    static Row of(long location, ByteBuf entry) {
        CRC32C crc32c = new CRC32C();
        crc32c.update(entry.nioBuffer());
        int start = entry.readerIndex();
        return new Row(entry.getLong(start), entry.getLong(start + 8), location, entry.readableBytes(),
                crc32c.getValue());
    }

    @Override
    public String toString() {
        return String.format("%d\t%d\t%d\t%d\t%08x", ledgerId, entryId, location, size, crc32c);
    }
}
