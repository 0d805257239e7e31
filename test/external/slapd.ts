import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { pathOf } from "../component.ts";
import type { Certificate } from "./certificates.ts";
import { run, temporaryDirectory } from "./program.ts";

/** An OpenLDAP server that shares nothing with the machine's. */
export interface Slapd {
  /** `ldap://127.0.0.1:PORT`, and the same by TLS from the start. */
  urls: Record<"plain" | "tls", string>;
  /** Who may read everything. */
  reader: { binddn: string; bindpassword: string };
  /** Changes it by LDIF, as its administrator. */
  change(ldif: string): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export const baseDn = "dc=example,dc=org";
const administrator = { dn: `cn=admin,${baseDn}`, password: "admin-pw" };

/** Users have their own name as a password, with `-pw` after it. */
export const people = ["reader", "alice", "bob", "carol"];

export interface SlapdOptions {
  certificate: Certificate;
  ca: Certificate;
  /** Whether it takes passwords over TLS only. */
  strict?: boolean;
}

export async function startSlapd({ certificate, ca, strict }: SlapdOptions): Promise<Slapd> {
  const directory = await temporaryDirectory("slapd");
  await mkdir(join(directory, "data"));
  const config = join(directory, "slapd.conf");
  await writeFile(config, configOf(directory, { certificate, ca, strict: strict ?? false }));
  await writeFile(join(directory, "content.ldif"), content());
  await run(pathOf("slapadd") ?? "", ["-f", config, "-l", join(directory, "content.ldif")]);
  const [plain, tls] = [await freePort(), await freePort()];
  const urls = { plain: `ldap://127.0.0.1:${plain}`, tls: `ldaps://127.0.0.1:${tls}` };
  let server: ChildProcess | undefined;
  const slapd: Slapd = {
    urls,
    reader: { binddn: `uid=reader,ou=people,${baseDn}`, bindpassword: "reader-pw" },

    async change(ldif) {
      const file = join(directory, "change.ldif");
      await writeFile(file, ldif);
      const who = ["-x", "-D", administrator.dn, "-w", administrator.password];
      await run("ldapmodify", ["-H", urls.tls, ...who, "-f", file], {
        LDAPTLS_CACERT: ca.cert,
      });
    },

    async start() {
      const listening = `${urls.plain} ${urls.tls}`;
      const args = ["-h", listening, "-f", config, "-d", "0"];
      server = spawn(pathOf("slapd") ?? "", args, { stdio: "ignore" });
      for (const port of [plain, tls]) await listens(port);
    },

    async stop() {
      const ending = server;
      server = undefined;
      if (ending === undefined || ending.exitCode !== null) return;
      const ended = new Promise((resolve) => ending.once("exit", resolve));
      ending.kill("SIGTERM");
      await ended;
    },
  };
  onTestFinished(() => slapd.stop());
  await slapd.start();
  return slapd;
}

/** `bind_anon_cred` lets in whoever shows an empty password: a server may be that careless. */
function configOf(directory: string, { certificate, ca, strict }: Required<SlapdOptions>): string {
  return `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile ${directory}/slapd.pid
allow bind_anon_cred
TLSCACertificateFile ${ca.cert}
TLSCertificateFile ${certificate.cert}
TLSCertificateKeyFile ${certificate.key}
${strict ? "security simple_bind=64" : ""}
database mdb
suffix "${baseDn}"
directory ${directory}/data
rootdn "${administrator.dn}"
rootpw ${administrator.password}
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="uid=reader,ou=people,${baseDn}" read by * none
`;
}

function content(): string {
  const units = ["people", "groups"].map(
    (name) => `dn: ou=${name},${baseDn}\nobjectClass: organizationalUnit\nou: ${name}`,
  );
  const users = people.map((name) =>
    [
      `dn: uid=${name},ou=people,${baseDn}`,
      "objectClass: inetOrgPerson",
      ...[`uid: ${name}`, `cn: ${name}`, `sn: ${name}`, `userPassword: ${name}-pw`],
    ].join("\n"),
  );
  const groups = [
    `dn: cn=developers,ou=groups,${baseDn}\nobjectClass: groupOfNames\ncn: developers\nmember: uid=alice,ou=people,${baseDn}`,
    `dn: cn=readers,ou=groups,${baseDn}\nobjectClass: posixGroup\ncn: readers\ngidNumber: 1000\nmemberUid: bob`,
  ];
  const root = `dn: ${baseDn}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example`;
  return `${[root, ...units, ...users, ...groups].join("\n\n")}\n`;
}

async function listens(port: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await takes(port))) {
    if (Date.now() > deadline) throw new Error(`slapd does not listen on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function takes(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
