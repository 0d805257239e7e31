import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { describeWith } from "../component.ts";
import { openAuthority } from "./certificates.ts";
import { htpasswdFor, openGuarded } from "./guarded-registry.ts";
import { writeLayout } from "./oci-layout.ts";
import { podmanIn } from "./podman.ts";
import { run, temporaryDirectory } from "./program.ts";
import { openTokenServer } from "./token-server.ts";

/** Where a client finds `team/app:v1`, and what all clients of this family call how they get in. */
interface Access {
  image: string;
  options: string[];
}

/** Pulls `:v1` and pushes it as `:v2`, changed. */
type Client = (access: Access) => Promise<void>;

const credentials = "--creds=alice:alice-pw";

/** Every way into a registry, as `auth:` and `http:` of its configuration. */
const ways: Record<string, () => Promise<{ host: string; options: string[] }>> = {
  "over HTTP": async () => ({ ...(await openGuarded("")), options: ["--tls-verify=false"] }),

  "over TLS": async () => {
    const { settings, directory } = await certified();
    return { ...(await openGuarded("", settings)), options: [`--cert-dir=${directory}`] };
  },

  "with a password, over TLS": async () => {
    const { settings, directory } = await certified();
    const auth = `auth: {htpasswd: {realm: r, path: ${await htpasswdFor("alice")}}}`;
    const options = [`--cert-dir=${directory}`, credentials];
    return { ...(await openGuarded(auth, settings)), options };
  },

  "with a token": async () => {
    const { auth } = await openTokenServer((user) => (user === "alice" ? ["pull", "push"] : []));
    return { ...(await openGuarded(auth)), options: ["--tls-verify=false", credentials] };
  },
};

const clients: Record<string, { programs: string[]; client: Client }> = {
  podman: { programs: ["podman"], client: usePodman },
  buildah: { programs: ["buildah"], client: useBuildah },
  umoci: { programs: ["umoci"], client: useUmoci },
};

describe.each(Object.entries(clients))("%s", (name, { programs, client }) => {
  describeWith(
    "skopeo",
    "openssl",
    ...programs,
  )(`the image registry and ${name}`, () => {
    it.each(Object.entries(ways))(
      "gives an image and takes the next one, %s",
      async (_way, open) => {
        const { host, options } = await open();
        const image = `${host}/team/app`;
        const layout = `oci:${await writeLayout("v1")}:v1`;
        await run("skopeo", ["copy", ...sided("dest", options), layout, `docker://${image}:v1`]);

        await client({ image, options });

        const read = ["inspect", ...options, `docker://${image}:v2`];
        const { Labels, RepoTags } = JSON.parse(await run("skopeo", read));
        expect(Labels).toEqual({ changed: "yes" });
        expect(RepoTags).toEqual(["v1", "v2"]);
        const copy = `dir:${await temporaryDirectory("copy")}`;
        await run("skopeo", ["copy", ...sided("src", options), `docker://${image}:v2`, copy]);
      },
    );
  });
});

async function usePodman({ image, options }: Access): Promise<void> {
  const podman = await podmanIn(await temporaryDirectory("podman"));
  const build = await temporaryDirectory("build");
  await podman("pull", "--quiet", ...options, `${image}:v1`);
  await writeFile(join(build, "Containerfile"), `FROM ${image}:v1\nLABEL changed=yes\n`);
  const offline = ["--pull=never", "--identity-label=false"];
  await podman("build", ...offline, "--tag", `${image}:v2`, build);
  await podman("push", ...options, `${image}:v2`);
}

async function useBuildah({ image, options }: Access): Promise<void> {
  const directory = await temporaryDirectory("buildah");
  const storage = ["--root", join(directory, "root"), "--runroot", join(directory, "run")];
  const buildah = (...args: string[]) =>
    run("buildah", [...storage, "--storage-driver", "vfs", ...args]);
  const container = await buildah("from", "--quiet", ...options, `${image}:v1`);
  await buildah("config", "--label", "changed=yes", container);
  await buildah("commit", "--quiet", "--identity-label=false", container, `${image}:v2`);
  await buildah("push", "--quiet", ...options, `${image}:v2`);
}

/** It speaks with no registry itself: skopeo carries its layouts to and fro. */
async function useUmoci({ image, options }: Access): Promise<void> {
  const directory = await temporaryDirectory("umoci");
  const layout = join(directory, "layout");
  const added = join(directory, "added");
  await writeFile(added, "added");
  const [from, to] = [`docker://${image}:v1`, `docker://${image}:v2`];
  await run("skopeo", ["copy", ...sided("src", options), from, `oci:${layout}:v1`]);
  await run("umoci", ["insert", "--image", `${layout}:v1`, "--tag", "v2", added, "/added"]);
  await run("umoci", ["config", "--image", `${layout}:v2`, "--config.label", "changed=yes"]);
  await run("skopeo", ["copy", ...sided("dest", options), `oci:${layout}:v2`, to]);
}

/** skopeo's copy has each option for either side. */
function sided(side: "src" | "dest", options: readonly string[]): string[] {
  return options.map((option) => option.replace("--", `--${side}-`));
}

async function certified(): Promise<{ settings: string; directory: string }> {
  const authority = await openAuthority();
  onTestFinished(() => authority.close());
  const { cert, key } = await authority.issue("server");
  const directory = await temporaryDirectory("certs");
  await copyFile(authority.ca.cert, join(directory, "ca.crt"));
  return { settings: `, tls: {certificate: ${cert}, key: ${key}}`, directory };
}
