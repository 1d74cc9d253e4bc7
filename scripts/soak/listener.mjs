#!/usr/bin/env node
/** Listener: what the least program costs that hears every byte of a serial port through the serialport package. */
import { SerialPort } from 'serialport'

const [path] = process.argv.slice(2)
const port = new SerialPort({ path, baudRate: 921_600 })
port.on('data', () => {})
port.on('error', (error) => {
  throw error
})
// The device goes away at the end; that is no error.
port.on('close', () => process.exit())
