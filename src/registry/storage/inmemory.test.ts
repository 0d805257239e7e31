import { storageDriverContract } from "../storage-driver.contract.ts";
import { storagePushingContract } from "../storage-pushing.contract.ts";
import { storageReadingContract } from "../storage-reading.contract.ts";
import { openInmemoryStorage } from "./inmemory.ts";

storageDriverContract("inmemory", async () => openInmemoryStorage(() => new Date()));

storagePushingContract("inmemory", async () => openInmemoryStorage(() => new Date()));

storageReadingContract("inmemory", async () => openInmemoryStorage(() => new Date()));
