import { storageDriverContract } from "../storage-driver.contract.ts";
import { openInmemoryStorage } from "./inmemory.ts";

storageDriverContract("inmemory", async () => openInmemoryStorage(() => new Date()));
