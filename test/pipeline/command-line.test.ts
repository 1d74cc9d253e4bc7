/** The command line as scripts and people meet it: words, exit codes, and which stream they are on. */
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { GROUNDLOCK, REPOSITORY, groundlock } from '../support/groundlock.js'
import { longRecording } from '../support/tlog.js'

const folder = mkdtempSync(join(tmpdir(), 'groundlock-command-line-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const good = file('good.toml', '[link.radio]\ndevice = "/dev/ttyUSB0"\n')
const bad = file('bad.toml', '[link.radio]\ndevice = "/dev/ttyUSB0"\nbauds = 9600\n')

describe('groundlock', () => {
  it('--version is the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
      version: string
    }
    expect(groundlock(['--version'])).toEqual({ code: EXIT_CODE.ok, stdout: `${version}\n`, stderr: '' })
  })

  it('--help lists every command on a line and the exit codes', () => {
    const { code, stdout } = groundlock(['--help'])
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toMatch(/^ {2}config +check and explain/m)
    for (const exitCode of Object.values(EXIT_CODE))
      expect(stdout).toMatch(new RegExp(`\\b${exitCode} [a-z]`))
  })

  it.each([
    [['comfig'], "unknown command 'comfig'\n(Did you mean config?)"],
    [['config', 'check', '--conf', 'x'], "unknown option '--conf'"],
    [['config', 'check', '--config'], "option '--config <file>' argument missing"],
    [['config', 'explain', 'link.radio.bauds'], 'the nearest known one is link.radio.baud'],
    [
      ['config', 'explain', 'nonsense'],
      "unknown key 'nonsense'; `groundlock config explain` lists every key",
    ],
    [['config', 'check', 'surplus'], 'too many arguments'],
    [[], 'Usage: groundlock'],
  ])('%j is a usage error', (args, words) => {
    const { code, stdout, stderr } = groundlock(args)
    expect(stderr).toContain(words)
    expect({ code, stdout }).toEqual({ code: EXIT_CODE.usage, stdout: '' })
  })

  it.each([[['config', '--help']], [['help', 'config']], [['config', 'check', '--help']]])(
    '%j helps',
    (args) => {
      expect(groundlock(args)).toMatchObject({
        code: EXIT_CODE.ok,
        stderr: '',
        stdout: expect.stringContaining('Usage:'),
      })
    },
  )

  it('a bad result stays one where its reader has gone', async () => {
    const child = spawn(GROUNDLOCK, ['config', 'check', '--json', '--config', bad], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    child.stdout.destroy()
    expect(await once(child, 'close')).toEqual([EXIT_CODE.bad, null])
  })

  it('each command helps with an example', () => {
    const commands = [
      ...groundlock(['--help']).stdout.matchAll(/^ {2}([a-z]+) .*(?<!display help for command)$/gm),
    ]
    expect(commands.length).toBeGreaterThan(10)
    for (const [, name] of commands)
      expect(groundlock([name!, '--help']).stdout).toMatch(
        new RegExp(`^Examples?: (?:sudo )?groundlock ${name}\\b`, 'm'),
      )
  })

  it('loads only the command that is asked for', () => {
    const loaded = (args: string[]) => {
      const coverage = mkdtempSync(join(folder, 'coverage-'))
      groundlock(args, { NODE_V8_COVERAGE: coverage })
      return readdirSync(coverage)
        .map((name) => readFileSync(join(coverage, name), 'utf8'))
        .join('')
    }
    expect(loaded(['config', 'explain'])).toContain('groundlock-config.cjs')
    expect(loaded(['--version'])).not.toMatch(/groundlock-config|sqlite3|groundlock-serialport/)
  })

  it('ends quietly when its reader has seen enough, also with work left', async () => {
    const work = file('work.cjs', 'setTimeout(() => process.exit(9), 10_000)')
    const child = spawn(GROUNDLOCK, ['config', 'explain'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: `--require ${work}` },
    })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (data) => (stderr += String(data)))
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stderr }).toEqual({ code: EXIT_CODE.ok, stderr: '' })
  })

  it('goes on without its reader where it has other work than to print', async () => {
    const vault = join(folder, 'vault')
    const recordings = ['one', 'two', 'three'].map((name, i) => {
      const path = join(folder, `${name}.tlog`)
      writeFileSync(path, longRecording(200 + i))
      return path
    })
    const child = spawn(GROUNDLOCK, ['import', ...recordings, '--vault', vault], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    child.stdout.destroy()
    expect(await once(child, 'close')).toEqual([EXIT_CODE.ok, null])
    expect(readdirSync(join(vault, 'flights'))).toHaveLength(recordings.length)
  })

  it('has the threads that keeps a stalled card from stopping the serial port', () => {
    const report = file(
      'report.cjs',
      `const fs = require('fs'); fs.stat('/', () => console.error(fs.readdirSync('/proc/self/task').length))`,
    )
    const { stderr } = groundlock(['config', 'explain'], { NODE_OPTIONS: `--require ${report}` })
    expect(Number(stderr)).toBeGreaterThan(16)
  })
})

describe('groundlock config check', () => {
  it('a file that can be used: 0, and what it says', () => {
    const { code, stdout, stderr } = groundlock(['config', 'check', '--config', good])
    expect({ code, stderr }).toEqual({ code: EXIT_CODE.ok, stderr: '' })
    expect(stdout).toContain('radio: /dev/ttyUSB0 at 57600 bit/s')
  })

  it('says whom an SSH port is for, and that a simulated switch has no relay', () => {
    const local = '{ name = "eth1", path = "p", subnet = "10.1.0.0/16" }'
    const whole = file(
      'whole.toml',
      `[link.radio]\ndevice = "/dev/ttyUSB0"\n[uplink]\nrelay_line = 23\nssh_port = 22\nlocal = [${local}]\n`,
    )
    const { stdout } = groundlock(['config', 'check', '--config', whole])
    expect(stdout).toContain('eth1 (p), 10.1.0.0/16 only; from there SSH on TCP port 22')
    expect(stdout).toContain('relay on GPIO 23')
    const simulated = file(
      'simulated.toml',
      `${readFileSync(whole, 'utf8')}[switch]\nbackend = "simulated"\n`,
    )
    const other = groundlock(['config', 'check', '--config', simulated]).stdout
    expect(other).toContain('no relay, as the switch is simulated')
    expect(other).not.toContain('GPIO 23')
  })

  it('a file with a mistake: 3, with the line to look at', () => {
    const { code, stdout, stderr } = groundlock(['config', 'check', '--config', bad])
    expect({ code, stdout }).toEqual({ code: EXIT_CODE.bad, stdout: '' })
    expect(stderr).toContain(
      'line 3: link.radio.bauds: unknown key; the nearest known one is link.radio.baud',
    )
  })

  it('--json says the same to a program, with the same exit code', () => {
    const { code, stdout } = groundlock(['config', 'check', '--json', '--config', bad])
    expect(code).toBe(EXIT_CODE.bad)
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      problems: [{ line: 3, key: 'link.radio.bauds' }],
    })
    expect(JSON.parse(groundlock(['config', 'check', '--json', '--config', good]).stdout)).toMatchObject({
      valid: true,
      configuration: { links: [{ name: 'radio', baud: 57600 }] },
    })
  })

  it.each([
    [
      'missing',
      join(folder, 'nowhere.toml'),
      /^GL-CONF-01 .*nowhere.toml: no such file\.\n.*--config FILE, or make it/s,
    ],
    ['a folder', folder, /^GL-CONF-02 /],
    ['endless', '/dev/zero', /^GL-CONF-02 .*larger than 65536 bytes/],
  ])('a file that is %s: 1, and what to do', (_, path, words) => {
    const { code, stderr } = groundlock(['config', 'check', '--config', path])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toMatch(words)
  })
})

describe('groundlock config explain', () => {
  it('prints every key, or those of a section', () => {
    expect(groundlock(['config', 'explain']).stdout).toMatch(/^station\.name .*^link\.\*\.baud /ms)
    expect(groundlock(['config', 'explain', 'vault']).stdout).toMatch(/^vault\.dir {2}\(default/)
    expect(groundlock(['config', 'explain', 'link.radio.baud']).stdout).toMatch(/^link\.\*\.baud/)
  })

  it('--json is an array of objects', () => {
    const settings = JSON.parse(groundlock(['config', 'explain', '--json']).stdout) as unknown
    expect(settings).toContainEqual(
      expect.objectContaining({ key: 'link.*.device', required: true, default: null }),
    )
  })
})

describe('groundlock simulate', () => {
  it('says that the device waits once it is there, and not before', async () => {
    const link = join(folder, 'radio')
    const child = spawn(GROUNDLOCK, ['simulate', link], { stdio: ['ignore', 'ignore', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [said] = (await once(child.stderr, 'data')) as [Buffer]
    expect(String(said)).toContain(`the device is ${link}; waiting for a program to open it\n`)
    expect(existsSync(link)).toBe(true)
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([EXIT_CODE.ok, null])
  })

  it('a device that cannot be made is a fault, and nothing else is said', () => {
    const { code, stderr } = groundlock(['simulate', join(folder, 'nowhere', 'radio')])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toMatch(/^GL-SIM-01 .*no such file or directory/)
  })
})
