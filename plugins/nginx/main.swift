import TrstctlConnector

serve(NGINX())
