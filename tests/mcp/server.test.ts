import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { tools } from '../../src/mcp/tools.ts';
import { folder, weir } from '../cli/weir.ts';
import { listen } from '../sources/server.ts';
import { Client, type Message } from './client.ts';

const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

function client(words: readonly string[], env: Readonly<Record<string, string>> = {}): Client {
  const made = new Client(words, { cwd: folder({}), env: { HOME: folder({}), NO_COLOR: '1', ...env } });
  clients.push(made);
  return made;
}

const project = {
  'weir.toml':
    '[components.a]\nspec = { type = "local", path = "a.spec" }\n[components.b]\nspec = { type = "local", path = "a.spec" }\n',
  'a.spec': 'Name: a\n',
};

describe('weir mcp', () => {
  it('ends all that a cancelled call has started', async () => {
    const asked = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    // It never answers, so that git waits.
    const url = await listen((request) => {
      asked.resolve();
      request.socket.on('close', () => left.resolve());
    });
    const dir = folder({
      'weir.toml': `[distros.up]
dist-git-base-uri = "${url}/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
[components.a]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
`,
    });
    const server = client(['-C', dir, 'mcp']);
    await server.open('2025-11-25');
    const requestId = server.next;
    void server.ask('tools/call', { name: 'upstream_status', arguments: {} });
    await asked.promise;
    server.notify('notifications/cancelled', { requestId });
    await left.promise;
  }, 60_000);

  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('speaks revision %s', async (revision) => {
    const server = client(['-C', folder(project), 'mcp']);
    const opened = await server.open(revision);
    expect(opened).toMatchObject({
      protocolVersion: revision,
      serverInfo: { name: 'weir' },
      capabilities: { tools: {} },
    });
    expect(await server.ask('ping')).toMatchObject({ result: {} });
    expect(await server.close()).toBe(0);
    expect(server.stderr).toBe('');
  });

  it('offers a revision of its own to a client that asks for one it does not know', async () => {
    expect(await client(['mcp']).open('1999-01-01')).toMatchObject({ protocolVersion: '2025-11-25' });
  });

  it('speaks revision 2026-07-28, which has no handshake', async () => {
    const server = client(['-C', folder(project), 'mcp']);
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const discovered = (await server.ask('server/discover', { _meta })).result as Message;
    expect(discovered.supportedVersions).toContain('2026-07-28');
    const { result } = await server.ask('tools/call', { name: 'component_list', arguments: {}, _meta });
    expect(result).toMatchObject({ isError: false });
    expect((await server.ask('tools/list', { _meta })).result).toHaveProperty('tools');
  });

  it('lists every tool as one that only reads, with a closed schema', async () => {
    const server = client(['mcp']);
    await server.open('2025-11-25');
    const { tools: listed } = (await server.ask('tools/list')).result as { tools: readonly Message[] };
    expect(listed.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
    for (const tool of listed) {
      expect(tool.annotations).toMatchObject({ readOnlyHint: true });
      expect(tool.inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(tool.description).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('answers with the JSON of the command, whole or in parts', async () => {
    const dir = folder(project);
    const server = client(['-C', dir, 'mcp']);
    await server.open('2025-11-25');
    const rows = JSON.parse(weir(['-C', dir, 'component', 'list', '--json']).stdout) as unknown[];
    expect(rows).toHaveLength(2);
    const whole = await server.call('component_list');
    expect(whole.content.map(({ text }) => JSON.parse(text))).toEqual([rows]);
    const second = await server.call('component_list', { offset: 1, limit: 5 });
    expect(JSON.parse(second.content[0]!.text)).toEqual(rows.slice(1));
    expect(second.content[1]!.text).toBe('rows 2 to 2 of 2');
    const chosen = await server.call('component_list', { patterns: ['b*'] });
    expect(JSON.parse(chosen.content[0]!.text)).toEqual(rows.slice(1));
  });

  it('answers several calls at once', async () => {
    const dir = folder(project);
    const server = client(['-C', dir, 'mcp']);
    await server.open('2025-11-25');
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, index) => server.call('component_show', { name: index % 2 === 0 ? 'a' : 'b' })),
    );
    expect(answers.map(({ content }) => (JSON.parse(content[0]!.text) as Message).name)).toEqual([
      'a',
      'b',
      'a',
      'b',
      'a',
    ]);
  });

  it('turns a failed command into an answer that says what to do', async () => {
    const dir = folder({ ...project, 'weir.toml': `${project['weir.toml']}[components.a.bild]\n` });
    const server = client(['-C', dir, 'mcp']);
    await server.open('2025-11-25');
    const broken = await server.call('component_list');
    expect(broken).toMatchObject({ isError: true });
    expect(broken.content[0]!.text).toMatch(/weir\.toml:5:\d+.*bild[\s\S]*\nhint: did you mean build/);
    expect(JSON.parse(broken.content[1]!.text)).toMatchObject({ error: { where: { line: 5 } } });
  });

  it.each([
    ['an unknown key', 'component_show', { nam: 'a' }, 'nam'],
    ['a missing one', 'component_changed', {}, 'from'],
    ['a value of another type', 'component_list', { names: 'a' }, 'names'],
    ['a zero byte', 'component_show', { name: 'a\0b' }, 'zero byte'],
  ])('%s in the arguments is an answer that names it', async (_what, tool, given, named) => {
    const server = client(['-C', folder(project), 'mcp']);
    await server.open('2025-11-25');
    const refused = await server.call(tool, given);
    expect(refused).toMatchObject({ isError: true, content: [{ text: expect.stringContaining(named) }] });
  });

  it('never takes an argument for an option', async () => {
    const server = client(['-C', folder(project), 'mcp']);
    await server.open('2025-11-25');
    for (const name of ['--help', '-C/', '--out=/tmp/x', '--']) {
      const refused = await server.call('component_show', { name });
      expect(refused).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining(`no component ${name}`) }, {}],
      });
    }
    const key = await server.call('config_resolve', { key: '--help' });
    expect(key.isError).toBe(true);
  });

  it('refuses unknown tools and methods as the protocol has it, and goes on', async () => {
    const server = client(['-C', folder(project), 'mcp']);
    await server.open('2025-11-25');
    expect(await server.ask('tools/call', { name: 'component_build', arguments: {} })).toMatchObject({
      error: { code: -32602 },
    });
    expect(await server.ask('no/such')).toMatchObject({ error: { code: -32601 } });
    for (const line of ['{ this is no message', '{"jsonrpc":"2.0"}', '[]', '']) server.raw(line);
    expect(await server.call('component_list')).toMatchObject({ isError: false });
  });

  it('leaves the project as it was', async () => {
    const dir = folder(project);
    const before = listing(dir);
    const server = client(['-C', dir, 'mcp']);
    await server.open('2025-11-25');
    const calls = tools
      .filter(({ network }) => network !== true)
      .map(async (tool) => {
        const required = Object.entries(tool.parameters).filter(
          ([, each]) => 'required' in each && each.required === true,
        );
        const given = Object.fromEntries(required.map(([key]) => [key, key === 'from' ? 'HEAD' : 'a']));
        const { content } = await server.call(tool.name, given);
        expect(content[0]!.text, tool.name).not.toMatch(/bug in weir|unknown (option|command)/);
      });
    await Promise.all(calls);
    expect(listing(dir)).toEqual(before);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends on %s while a client is connected', async (signal) => {
    const server = client(['-C', folder(project), 'mcp']);
    await server.open('2025-11-25');
    server.child.kill(signal);
    expect(await server.ended()).toBe(signal === 'SIGTERM' ? 143 : 130);
  });
});

function listing(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(dir, name);
      const { mtimeMs } = statSync(path);
      return `${name} ${mtimeMs} ${statSync(path).isFile() ? readFileSync(path, 'utf8') : ''}`;
    });
}
