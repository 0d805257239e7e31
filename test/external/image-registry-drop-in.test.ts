import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";
import { openExchange } from "./exchanged-registry.ts";
import { writeIndexLayout } from "./oci-layout.ts";
import { run } from "./program.ts";
import { contentsOf } from "./registry-contents.ts";
import { walkStorage } from "./storage-walk.ts";

/** A Distribution of another version than Debian's can be named, such as one of version 3. */
const distribution = process.env.DISTRIBUTION;
const needed = [...(distribution === undefined ? ["docker-registry"] : []), "skopeo"];

describeWith(...needed)("the image registry in the place of Distribution", () => {
  it("serves what Distribution wrote, byte for byte, by the same command and file", async () => {
    const { address, directory, serve } = await openExchange(distribution);
    const theirs = await serve("theirs");
    await writeThings(address);
    const sent = randomBytes(300_000);
    const begun = await ask("POST", `${address}/v2/half/blobs/uploads/`, 202);
    const upload = begun.headers.get("location") ?? "";
    const carried = await ask("PATCH", upload, 202, sent.subarray(0, 200_000));
    const before = await contentsOf(address);
    await theirs.stop();

    await serve("ours");

    expect(before.size).toBeGreaterThan(15);
    expect(await contentsOf(address)).toEqual(before);
    await ask("GET", `${address}/v2/team/app/manifests/gone`, 404);
    const location = carried.headers.get("location") ?? "";
    const next = await ask("PATCH", location, 202, sent.subarray(200_000));
    await ask("PUT", `${next.headers.get("location")}&digest=${digestOf(sent)}`, 201);
    const { body } = await ask("GET", `${address}/v2/half/blobs/${digestOf(sent)}`, 200);
    expect(sent.equals(body)).toBe(true);
    expect((await walkStorage(directory)).faults).toEqual([]);
  });

  it("leaves what Distribution serves, and finds nothing wrong with, after its own work", async () => {
    const { address, directory, serve, collect } = await openExchange(distribution);
    const theirs = await serve("theirs");
    await writeThings(address);
    await theirs.stop();
    const ours = await serve("ours");
    await copyIn(await writeIndexLayout("v1", "third"), address, "team/app:v3");
    await copyIn(await writeIndexLayout("v1", "third"), address, "team/app:v1");
    await copyIn(await writeIndexLayout("v1", "fourth"), address, "new/of/ours:v1");
    await remove(address, "team/app:v2");
    await ask("DELETE", `${address}/v2/team/app/manifests/latest`, 202);
    await ask("POST", `${address}/v2/team/app/blobs/uploads/`, 202);
    await collect("ours", "--delete-untagged", "--grace", "0s");
    const before = await contentsOf(address);
    await ours.stop();

    const again = await serve("theirs");

    expect(await contentsOf(address)).toEqual(before);
    expect(await tagsOf(address, "team/app")).toEqual(["v1", "v3"]);
    await ask("GET", `${address}/v2/team/app/manifests/v2`, 404);
    await again.stop();
    expect(await collect("theirs", "--dry-run")).toMatch(/\b0 blobs and 0 manifests eligible/);
    await collect("theirs");
    expect((await walkStorage(directory)).faults).toEqual([]);
    await serve("ours");
    expect(await contentsOf(address)).toEqual(before);
  });
});

/** Images of several platforms in both formats, under several tags, one of which goes again. */
async function writeThings(address: string): Promise<void> {
  const [first, second, third] = [
    await writeIndexLayout("v1", "first"),
    await writeIndexLayout("v1", "second"),
    await writeIndexLayout("v1", "gone"),
  ];
  await copyIn(first, address, "team/app:v1");
  await copyIn(first, address, "team/app:latest");
  await copyIn(second, address, "team/app:v2");
  await copyIn(second, address, "team/app:stable");
  await copyIn(third, address, "team/app:gone");
  await copyIn(second, address, "team/app/docker:v1", "--format", "v2s2");
  await remove(address, "team/app:gone");
}

async function copyIn(layout: string, address: string, image: string, ...more: string[]) {
  const target = `docker://${new URL(address).host}/${image}`;
  const options = ["--all", "--dest-tls-verify=false", ...more];
  await run("skopeo", ["copy", ...options, `oci:${layout}:v1`, target]);
}

/** With all its tags. */
async function remove(address: string, image: string): Promise<void> {
  const target = `docker://${new URL(address).host}/${image}`;
  await run("skopeo", ["delete", "--tls-verify=false", target]);
}

async function tagsOf(address: string, repository: string): Promise<string[]> {
  const image = `docker://${new URL(address).host}/${repository}`;
  return JSON.parse(await run("skopeo", ["list-tags", "--tls-verify=false", image])).Tags;
}

async function ask(method: string, url: string, status: number, sent?: Buffer) {
  const answer = await fetch(url, { method, ...(sent && { body: Buffer.from(sent) }) });
  const body = Buffer.from(await answer.arrayBuffer());
  expect(answer.status, `${method} ${url}: ${body.subarray(0, 500)}`).toBe(status);
  return { headers: answer.headers, body };
}
