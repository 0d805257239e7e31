import { afterAll, beforeAll } from "vitest";
import type { ContainerEngine } from "./container-engine.ts";
import { type Images, openImages } from "./container-images.ts";
import { type ContainerStage, openContainerStage } from "./container-stage.ts";
import { type AtEnd, temporaryDirectory } from "./program.ts";
import { serveRegistry } from "./served-registry.ts";

/** What the tests of one file play on. */
export interface ContainerBed<Engine extends ContainerEngine> {
  readonly engine: Engine;
  readonly images: Images;
  stage(): Promise<ContainerStage>;
}

export const dockerPrograms = ["dockerd", "docker", "ip", "busybox"];
export const podmanPrograms = ["podman", "runc", "busybox"];

/** An engine, and our registry with images in it, for the tests of one `describe`. */
export function layBed<Engine extends ContainerEngine>(
  open: (atEnd: AtEnd) => Promise<Engine>,
): ContainerBed<Engine> {
  const closing: (() => Promise<void>)[] = [];
  const atEnd = (work: () => Promise<void>) => void closing.unshift(work);
  let engine: Engine | undefined;
  let images: Images | undefined;
  beforeAll(async () => {
    engine = await open(atEnd);
    const storage = await temporaryDirectory("registry", atEnd);
    const { address } = await serveRegistry(storage, "{}", "", atEnd);
    images = await openImages(engine, address, atEnd);
  }, 120_000);
  afterAll(async () => {
    for (const work of closing) await work();
  }, 120_000);
  const bed = {
    get engine() {
      if (!engine) throw new Error("the engine is not open");
      return engine;
    },
    get images() {
      if (!images) throw new Error("there are no images");
      return images;
    },
    stage: () => openContainerStage(bed.engine, bed.images),
  };
  return bed;
}
