import * as v from "valibot";
import type { Mode } from "../../agent/event.ts";
import { ConfigError } from "../../base/errors.ts";
import { type Command, type CommandContext, command, type StartApps } from "../command.ts";
import { type DewyYaml, findDewyYaml, readDewyYaml } from "../dewy-yaml.ts";
import { appOf, processOf, surroundingsOf } from "../options/app.ts";
import { flagsOf } from "../options/flags.ts";
import { commandLine, type Layer, valuesOf, variables } from "../options/layer.ts";
import { isFor } from "../options/option.ts";
import { warnOfTypos } from "../options/typos.ts";

const epilogues: Record<Mode, string> = {
  server:
    "The command is started in the directory, so that current/app is the newest release's app:\n" +
    "  dewy server --registry ghr://owner/app --port 8000 -- current/app",
  assets:
    "The newest release's files are at DIRECTORY/current, which a web server is pointed at:\n" +
    "  dewy assets --registry ghr://owner/pages -d /var/www/html",
  container:
    "What is after -- goes to the engine's run; the container's own command is given by --cmd:\n" +
    "  dewy container --registry img://ghcr.io/owner/app --port 80:8080 --replicas 2 -- -e MODE=live",
};

const usages: Record<Mode, string> = {
  server: "[options] [--] COMMAND [argument...]",
  assets: "[options]",
  container: "[options] [-- RUN-OPTION...]",
};

const elsewhere =
  "Each option may also be a variable (DEWY_LOG_LEVEL) or a key in dewy.yaml (log-level).";

/** `dewy server`, `dewy assets` and `dewy container`, which hand the one app they describe to `start`. */
export function agentCommand(mode: Mode, start: StartApps): Command {
  return command({
    operands: "[command...]",
    usage: usages[mode],
    flags: flagsOf((option) => isFor(option, mode)),
    epilogue: `${epilogues[mode]}\n\n${elsewhere}`,
    input: v.looseObject({ operands: v.array(v.string()) }),

    async run({ operands, ...given }, context) {
      warnOfTypos(context);
      const problems: string[] = [];
      const asked = typeof given.config === "string" ? given.config : undefined;
      const file = await findDewyYaml(asked, context);
      const document = file === undefined ? undefined : await readDewyYaml(file, context);
      const layers = layersOf(given, document, mode, context);
      const fromFile = operands.length === 0 ? document?.top.command : undefined;
      const app = appOf(
        {
          ...{ mode, layers, ownLayers: layers, place: "", directory: context.directory },
          command: fromFile ?? operands,
          commandPlace: fromFile ? (document?.top.placeOf("command") ?? "") : operands.join(" "),
        },
        surroundingsOf(context),
        problems,
      );
      const processOptions = processOf(valuesOf(layers, []));
      if (problems.length > 0) throw new ConfigError(problems.join("; "));
      await start({ apps: [app], process: processOptions }, context);
    },
  });
}

function layersOf(
  given: Readonly<Record<string, unknown>>,
  document: DewyYaml | undefined,
  mode: Mode,
  { environment }: CommandContext,
): Layer[] {
  if (document?.apps) {
    throw new ConfigError(`${document.file} describes several apps`, {
      hint: `run them by dewy run ${document.file}, or name another file by --config`,
    });
  }
  if (document?.top.mode !== undefined && document.top.mode !== mode) {
    throw new ConfigError(`${document.top.placeOf("mode")}: this is dewy ${mode}`, {
      hint: `call dewy ${document.top.mode}, or dewy run`,
    });
  }
  return [commandLine(given), variables(environment), ...(document ? [document.top.layer] : [])];
}
