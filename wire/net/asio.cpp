// Asio's own code, compiled once for the whole program (BOOST_ASIO_SEPARATE_COMPILATION).
#include "wire/net/asio.h"

#include <boost/asio/impl/src.hpp>
