import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;

/**
 * Moves leaders of a topic's partitions: each turn the replicas of one are listed in another order, and the first becomes the leader.
 * Arguments: brokers topic partitions moves pause_ms nodes. Prints how many moves were made.
 */
public class Move {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("default.api.timeout.ms", "8000");
    properties.put("request.timeout.ms", "3000");
    int partitions = Integer.parseInt(args[2]), moves = Integer.parseInt(args[3]), made = 0;
    Random random = new Random(1);
    try (Admin admin = Admin.create(properties)) {
      for (int i = 0; i < moves * 4 && made < moves; i++) {
        Thread.sleep(Long.parseLong(args[4]));
        TopicPartition partition = new TopicPartition(args[1], random.nextInt(partitions));
        List<Integer> replicas = new ArrayList<>();
        for (int n = 1; n <= Integer.parseInt(args[5]); n++) replicas.add(n);
        Collections.shuffle(replicas, random);
        try {
          int leader = admin.describeTopics(Set.of(args[1])).allTopicNames().get().get(args[1]).partitions()
              .get(partition.partition()).leader().id();
          if (leader == replicas.get(0)) Collections.rotate(replicas, 1);
          admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
          admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition)
              .ifPresent(e -> { throw new RuntimeException(e); });
          made++;
        } catch (Exception e) {
          System.err.println(e); // a broker is being killed; the next turn
        }
      }
    }
    System.out.println("moves=" + made);
  }
}
