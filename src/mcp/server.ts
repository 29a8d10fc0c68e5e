import { once } from 'node:events';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { type CallSettings, callTool } from './call.ts';
import { type Arguments, argumentSchema, tools } from './tools.ts';

const instructions = `Weir builds a Linux distribution from an upstream one and small overlays, each with a reason.
These tools only read: they list, show and compare what the project says and what was built.
Start with component_list, or with config_resolve and a key. A failed call says what, where and what to do.`;

/**
 * Serves the Model Context Protocol (https://modelcontextprotocol.io/specification) on stdin and stdout, in any revision that
 * the client asks for and the library knows, until the client closes stdin or a signal arrives. Calls that still run are
 * stopped.
 * @param version of Weir
 * @param onError gets faults of the connection, such as lines that are no messages
 */
export async function serve(version: string, settings: CallSettings, onError: (error: Error) => void): Promise<void> {
  const connection = serveStdio(() => makeServer(version, settings), { onerror: onError });
  const ended = new AbortController();
  const stop = (): void => ended.abort();
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  process.stdin.once('end', stop).once('close', stop);
  await once(ended.signal, 'abort');
  await connection.close();
  process.stdin.destroy();
}

function makeServer(version: string, settings: CallSettings): McpServer {
  const server = new McpServer({ name: 'weir', title: 'Weir', version }, { capabilities: { tools: {} }, instructions });
  for (const tool of tools) {
    server.registerTool(
      tool.name,
      {
        title: `weir ${tool.command.join(' ')}`,
        description: tool.about,
        inputSchema: argumentSchema(tool),
        annotations: { readOnlyHint: true, openWorldHint: tool.network === true },
      },
      (given, { mcpReq }) => callTool(tool, given as Arguments, settings, mcpReq.signal),
    );
  }
  return server;
}
