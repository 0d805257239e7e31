import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/free-port.ts";
import type { Certificate } from "./certificates.ts";
import { run } from "./program.ts";

export interface Postfix {
  /** Takes mail from this machine: by STARTTLS only, by TLS from the start, and in the open. */
  ports: Record<"starttls" | "implicit" | "plain", number>;
  /** What was delivered to `name@y.test`, whole and in no order; the names are `a`, `b` and `c`. */
  delivered(name: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** Who owns what is delivered; Postfix delivers to nobody's mailbox as root. */
const mailOwner = 65_534;

/** Starts a Postfix that shares nothing with the machine's. Needs root. */
export async function startPostfix({ cert, key }: Certificate): Promise<Postfix> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-postfix-"));
  await chmod(directory, 0o755); // its daemons run as a user of their own
  const [etc, mail] = [join(directory, "etc"), join(directory, "mail")];
  for (const name of ["etc", "spool", "data", "mail"]) await mkdir(join(directory, name));
  await chown(mail, mailOwner, mailOwner);
  const postfix = await ownerOf("postfix");
  await chown(join(directory, "data"), postfix, 0);
  const ports = { starttls: await freePort(), implicit: await freePort(), plain: await freePort() };
  await writeFile(join(etc, "main.cf"), mainConfig(directory, cert, key));
  await writeFile(join(etc, "master.cf"), masterConfig(ports));
  await run("postfix", ["-c", etc, "start"]);
  for (const port of [ports.starttls, ports.plain]) await greeted(port);

  return {
    ports,
    async delivered(name) {
      const folder = join(mail, name, "new");
      const names = await readdir(folder).catch(() => []);
      return Promise.all(names.map((file) => readFile(join(folder, file), "utf8")));
    },
    async stop() {
      await run("postfix", ["-c", etc, "stop"]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function ownerOf(name: string): Promise<number> {
  return Number(await run("id", ["-u", name]));
}

function mainConfig(directory: string, cert: string, key: string): string {
  return `
compatibility_level = 3.6
queue_directory = ${directory}/spool
data_directory = ${directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = ${directory}/log
maillog_file_prefixes = ${directory}
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = y.test
virtual_mailbox_base = ${directory}/mail
virtual_mailbox_maps = inline:{ a@y.test=a/, b@y.test=b/, c@y.test=c/ }
virtual_minimum_uid = 100
virtual_uid_maps = static:${mailOwner}
virtual_gid_maps = static:${mailOwner}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_cert_file = ${cert}
smtpd_tls_key_file = ${key}
`;
}

/** As in master.cf.dist, but for what is not needed, and nothing runs in a chroot. */
function masterConfig({ starttls, implicit, plain }: Postfix["ports"]): string {
  return `
127.0.0.1:${starttls} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:${implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:${plain} inet n - n - - smtpd -o smtpd_tls_security_level=none
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`;
}

/** Waits for the first words of a server that listens, or soon will. */
async function greeted(port: number): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await firstWords(port)).startsWith("220 ")) {
    if (Date.now() > deadline) throw new Error(`Postfix does not answer on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function firstWords(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1", timeout: 5_000 });
    const end = (words: string) => {
      socket.destroy();
      resolve(words);
    };
    socket.once("data", (bytes) => end(String(bytes)));
    socket.once("error", () => end(""));
    socket.once("timeout", () => end(""));
  });
}
