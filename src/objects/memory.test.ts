import { openMemoryBucket, openMemoryStore } from "./memory.fake.ts";
import { objectStoreContract } from "./object-store.contract.ts";

objectStoreContract("the store in memory", async () => {
  const bucket = openMemoryBucket();
  return { store: openMemoryStore(bucket), put: bucket.put };
});
