import TrstctlConnector

serve(Echo())
