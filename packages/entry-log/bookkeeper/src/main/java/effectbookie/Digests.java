package effectbookie;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import org.apache.bookkeeper.client.BKException.BKDigestMatchException;
import org.apache.bookkeeper.proto.DataFormats.LedgerMetadataFormat.DigestType;
import org.apache.bookkeeper.proto.checksum.DigestManager;
import org.apache.bookkeeper.util.ByteBufList;

/** Holds the bodies of entries against BookKeeper's DigestManager with DigestType.CRC32. */
final class Digests {
    private static final String HEADER = "ledger\tentry\tbody\tpayload\tlastAddConfirmed\tlength";
    private static final HexFormat HEX = HexFormat.of();

    private Digests() {
    }

    /**
     * Each line of the table is a ledger, an entry, a last add confirmed, a length, a payload and a body, the last
     * two in hexadecimal. Prints the body that BookKeeper's client would send for these, and what it reads out of
     * the body in the table: the payload, the last add confirmed and the length, or why it refuses it.
     */
    static void run(Path table, PrintStream out) throws IOException, GeneralSecurityException {
        out.println(HEADER);
        for (String line : Files.readString(table, StandardCharsets.UTF_8).split("\n")) {
            String[] fields = line.split("\t", -1);
            if (fields[0].isEmpty() || fields[0].equals("ledger")) {
                continue;
            }
            long ledgerId = Long.parseLong(fields[0]);
            long entryId = Long.parseLong(fields[1]);
            DigestManager manager = DigestManager.instantiate(ledgerId, new byte[0], DigestType.CRC32,
                    UnpooledByteBufAllocator.DEFAULT, false);
            byte[] payload = HEX.parseHex(fields[4]);
            String body = send(manager, entryId, Long.parseLong(fields[2]), Long.parseLong(fields[3]), payload);
            out.println(String.join("\t", fields[0], fields[1], body, receive(manager, entryId, fields[5])));
        }
    }

    private static String send(DigestManager manager, long entryId, long lastAddConfirmed, long length,
            byte[] payload) throws GeneralSecurityException {
        ByteBufList parts = (ByteBufList) manager.computeDigestAndPackageForSending(entryId, lastAddConfirmed, length,
                Unpooled.wrappedBuffer(payload), DigestManager.generateMasterKey(new byte[0]), 0);
        return hex(ByteBufList.coalesce(parts));
    }

    private static String receive(DigestManager manager, long entryId, String body) {
        byte[] received = HEX.parseHex(body);
        try {
            String payload = hex(manager.verifyDigestAndReturnData(entryId, Unpooled.wrappedBuffer(received)));
            DigestManager.RecoveryData recovery =
                    manager.verifyDigestAndReturnLastConfirmed(Unpooled.wrappedBuffer(received));
            return String.join("\t", payload, Long.toString(recovery.getLastAddConfirmed()),
                    Long.toString(recovery.getLength()));
        } catch (BKDigestMatchException refused) {
            return "-\t-\t-";
        }
    }

    private static String hex(ByteBuf bytes) {
        byte[] all = new byte[bytes.readableBytes()];
        bytes.readBytes(all);
        return HEX.formatHex(all);
    }
}
