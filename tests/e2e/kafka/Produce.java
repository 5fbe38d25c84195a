import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes messages of every kind with Java's own producer: keys and values that are null, empty, short and long, some with headers;
 * with a transactional id in transactions, every third of which is aborted.
 * Arguments: brokers topic partitions compression count seed [transactional id]
 */
public class Produce {
  private static byte[] bytes(Random random, int kind) {
    if (kind == 0) return null;
    if (kind == 1) return new byte[0];
    byte[] out = new byte[kind == 2 ? random.nextInt(30000) : random.nextInt(200)];
    for (int i = 0; i < out.length; i++) out[i] = (byte) ('a' + random.nextInt(i % 7 + 1));
    return out;
  }

  public static void main(String[] args) throws Exception {
    int partitions = Integer.parseInt(args[2]), count = Integer.parseInt(args[4]);
    Random random = new Random(Long.parseLong(args[5]));
    boolean transactional = args.length > 6;
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("compression.type", args[3]);
    properties.put("linger.ms", "5");
    properties.put("batch.size", "65536");
    if (transactional) properties.put("transactional.id", args[6]);
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      if (transactional) producer.initTransactions();
      for (int i = 0; i < count; i++) {
        if (transactional && i % 50 == 0) producer.beginTransaction();
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(args[1], i % partitions, bytes(random, random.nextInt(8)), bytes(random, random.nextInt(40)));
        for (int h = random.nextInt(6) - 3; h > 0; h--)
          record.headers().add(new RecordHeader("h" + h, h == 1 ? null : "value".getBytes(StandardCharsets.UTF_8)));
        producer.send(record);
        if (transactional && i % 50 == 49) {
          producer.flush();
          if (i / 50 % 3 == 1) producer.abortTransaction();
          else producer.commitTransaction();
        }
      }
    }
  }
}
